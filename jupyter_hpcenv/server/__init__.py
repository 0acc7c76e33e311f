"""The door of Jupyter Server: translate REST requests into calls, and changes into events."""
