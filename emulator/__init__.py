"""YandexGPT, GigaChat and a plain OpenAI-compatible upstream on the wire, with faults on demand."""
