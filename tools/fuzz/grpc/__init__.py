"""Random messages for every RPC, with and without certificates: no crash, no INTERNAL."""
