"""What runs inside a supervisor, on its own event loop."""
