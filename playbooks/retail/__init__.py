"""Linden & Loom: an online shop for clothing and home goods, the playbook that Callboard runs by default."""
