"""Tests of GigaChat as the emulator plays it: chats, tokens, checks, conversations."""
