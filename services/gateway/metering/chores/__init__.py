"""What one gateway of the fleet does for all: who is elected, and the rounds that it makes."""
