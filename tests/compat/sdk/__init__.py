"""The providers' own SDKs, unchanged, against the emulator: they are its judges. Run by `make test-sdks`."""
