"""The entrance for accounts and keys of another installation: inserted once, told apart, taken back."""
