"""The matrix of faults: what a caller and the books see of each way in which a provider fails."""
