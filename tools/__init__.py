"""What make.py is made of. `process` and `environment` need nothing but Python."""
