"""What can be asked, and what an answer is made of. No I/O."""
