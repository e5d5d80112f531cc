"""`make up` and its family: the whole suite on one machine, without Docker and without root."""
