"""Every SQL statement and every artifact path of the project. Begin with `tables` and `engine`."""
