"""`python -m services serve|migrate`: the service that the variable SERVICE names, for images, which have no shell."""

import os
import runpy

if __name__ == "__main__":
    runpy.run_module(f"services.{os.environ['SERVICE']}", run_name="__main__", alter_sys=True)
