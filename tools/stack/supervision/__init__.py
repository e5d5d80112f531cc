"""The suite's programs under supervisord: what each is started with, and which are left over from a suite before."""
