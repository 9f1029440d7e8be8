"""The client of an etcd, the shared store of several hosts. It is imported only where one is configured."""
