# One image recipe for every program: docker build --build-arg SERVICE=gateway|auth|router|usage .
# The emulator: docker build --build-arg SERVICE=emulator --build-arg PACKAGE=emulator .
FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
COPY requirements-runtime.lock .
RUN python -m venv --copies /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r requirements-runtime.lock \
 && /opt/venv/bin/python -m pip uninstall --yes pip setuptools \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM python:3.11-slim-bookworm
ARG SERVICE=gateway
ARG PACKAGE=services/${SERVICE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app:/app/protos/gen \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SERVICE=${SERVICE}
# Programs cannot write bytecode (their root filesystem is read-only) and the base image has none, not even of the
# standard library: compiled here, it is never compared with its source again.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/local/lib/python3.11
# A volume mounted here starts with this owner, so that the gateway can write its journal without being root.
RUN install -d -o 10001 -g 10001 /var/lib/razvilka /var/lib/razvilka/journal /var/lib/razvilka/demo
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY protos/gen/razvilka protos/gen/razvilka
COPY servicekit servicekit
COPY tools/__init__.py tools/demo_account.py tools/demo_calls.py tools/
COPY services/__init__.py services/__init__.py
COPY ${PACKAGE} ${PACKAGE}
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app
USER 10001:10001
# `exec`: the service is process 1 and gets SIGTERM itself.
CMD ["sh", "-c", "exec python -m services.$SERVICE serve"]
