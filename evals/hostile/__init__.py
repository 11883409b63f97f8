"""A hostile model behind every specialist of the retail playbook, and an independent witness of what it achieved."""
