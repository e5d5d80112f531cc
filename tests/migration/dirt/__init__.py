"""Random databases of release 1.0: every storage class in every column, in every shape of the schema there was."""
