"""Kill processes of a running suite at random and prove that nothing was lost or billed twice."""
