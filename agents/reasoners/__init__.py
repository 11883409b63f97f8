"""Who solves a specialist's task: a chat model, local code, both in turn, a recording, or a script."""
