"""The clients of catalogs that others fill. Each is imported only where one is configured, in a thread."""
