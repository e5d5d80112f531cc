"""Composition root: surfaces on listeners, started and stopped in order."""

import ssl

from aiohttp import web

from emulator.control import Addresses, ControlSurface, Providers
from emulator.core import Core, Surface
from emulator.gigachat.oauth import GigaChatAccess
from emulator.listeners import EmulatorSettings, surfaces, yandex_surface
from emulator.openai.upstream import OpenAIUpstream
from emulator.wire.tls import CertificateFiles, make_certificates, server_context
from emulator.yandex.auth import YandexAccess
from emulator.yandex.grpc.listener import GrpcListener
from emulator.yandex.surface import YandexSurface


class Emulator:
    """One emulator: its state and its listeners."""

    def __init__(self, settings: EmulatorSettings, core: Core | None = None) -> None:
        """Build the surfaces; nothing listens yet."""
        self.settings = settings
        self.core = core or Core(settings)
        self.providers = Providers(YandexAccess(self.core), GigaChatAccess(self.core), OpenAIUpstream(self.core))
        self.addresses = Addresses()
        self._runners: list[web.ServerRunner] = []
        self._grpc: list[GrpcListener] = []

    async def start(self) -> Addresses:
        """Listen on every port of the settings; return where."""
        files = self._certificates()
        context = None if files is None else server_context(files)
        yandex = yandex_surface(self.core, self.providers)
        for name, surface in surfaces(self.core, self.providers, yandex).items():
            port, tls_port = self.settings.ports(name)
            runner = await self._runner(surface)
            self.addresses.urls[name] = await self._listen(runner, port, None)
            if context is not None:
                self.addresses.tls[name] = await self._listen(runner, tls_port, context)
        yandex.address = self.addresses.urls["yandex"]
        await self._start_grpc(yandex, files)
        control = await self._runner(ControlSurface(self.core, self.providers, self.addresses))
        self.addresses.urls["control"] = await self._listen(control, self.settings.control_port, None)
        return self.addresses

    async def stop(self) -> None:
        """Stop listening and end every connection, stalled ones too."""
        for listener in self._grpc:
            await listener.stop()
        for runner in self._runners:
            await runner.cleanup()
        self._grpc.clear()
        self._runners.clear()

    def _certificates(self) -> CertificateFiles | None:
        if not self.settings.tls:
            return None
        files = make_certificates(self.settings.tls_dir, self.settings.shown_host)
        self.addresses.ca_path = str(files.ca)
        return files

    async def _start_grpc(self, yandex: YandexSurface, files: CertificateFiles | None) -> None:
        port, tls_port = self.settings.ports("yandex_grpc")
        self.addresses.grpc["yandex"] = await self._listen_grpc(yandex, port, None)
        if files is not None:
            self.addresses.grpc["yandex_tls"] = await self._listen_grpc(yandex, tls_port, files)

    async def _listen_grpc(self, yandex: YandexSurface, port: int, files: CertificateFiles | None) -> str:
        listener = GrpcListener(yandex)
        self._grpc.append(listener)
        return await listener.start(self.settings.host, self.settings.shown_host, port, files)

    async def _runner(self, surface: Surface) -> web.ServerRunner:
        limit = self.settings.max_body_bytes

        def make_request(message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
            loop = protocol._loop
            return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)

        server = web.Server(surface.handle, request_factory=make_request, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def _listen(self, runner: web.ServerRunner, port: int, context: ssl.SSLContext | None) -> str:
        site = web.TCPSite(runner, self.settings.host, port, ssl_context=context, backlog=1024)
        await site.start()
        scheme = "http" if context is None else "https"
        sockets = site._server.sockets  # type: ignore[union-attr]
        return f"{scheme}://{self.settings.shown_host}:{sockets[0].getsockname()[1]}"
