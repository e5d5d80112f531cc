"""Tests of Yandex as the emulator plays it: native, OpenAI-like, gRPC, and its smaller services."""
