# One image recipe for every program: docker build --build-arg SERVICE=gateway|auth|router|usage .
# The emulator: docker build --build-arg SERVICE=emulator --build-arg PACKAGE=emulator .
# The operator's tools: docker build --build-arg SERVICE=tools --build-arg PACKAGE=tools .
# The move from release 1.0: docker build --build-arg CODE=migrate --build-arg SERVICE=migrate . (docs/migration/containers.md)
# Podman 4 finds the stage that a default names only when it is told: --build-arg CODE=program for all others.
# It is a release, and its base is named by digest (docs/operations/production.md says how to find and renew it):
#   --build-arg BASE=python:3.14-slim-bookworm@sha256:...
# Only a build with --build-arg PROFILE=local, as Compose makes, may take whatever the tag means today.
ARG BASE=python:3.14-slim-bookworm
ARG CODE=program
# What images differ by. Nobody but the program itself, and what all services share:
FROM scratch AS program-code
ARG SERVICE=gateway
ARG PACKAGE=services/${SERVICE}
COPY services/__init__.py services/__main__.py services/
COPY ${PACKAGE} ${PACKAGE}

# The move goes through the entrances of auth and usage, asks auth as the gateway does, and knows the router's models.
FROM scratch AS migrate-code
COPY services services
COPY migrate migrate
COPY tools/__init__.py tools/
COPY tools/servers/__init__.py tools/servers/errors.py tools/servers/bootstrap.py tools/servers/
COPY deploy/postgres/bootstrap.sql deploy/postgres/

FROM ${CODE}-code AS code

FROM ${BASE} AS packages
ARG BASE
ARG PROFILE=production
RUN case "${PROFILE} ${BASE}" in \
      "local "*) ;; \
      "production "*@sha256:????????????????????????????????????????????????????????????????) ;; \
      *) echo "BASE=${BASE}: a release names its base by digest, BASE=name:tag@sha256:<64 digits>; PROFILE=local need not" >&2; \
         exit 1 ;; \
    esac
WORKDIR /build
COPY requirements-runtime.lock .
RUN python -m venv --copies /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r requirements-runtime.lock \
 && /opt/venv/bin/python -m pip uninstall --yes pip setuptools \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${BASE}
ARG SERVICE=gateway
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app:/app/protos/gen \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SERVICE=${SERVICE}
# Programs cannot write bytecode (their root filesystem is read-only) and the base image has none, not even of the
# standard library: compiled here, it is never compared with its source again.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/local/lib/python3.*
# A volume mounted here starts with this owner, so that the gateway can write its journal without being root, usage reports.
RUN install -d -o 10001 -g 10001 /var/lib/razvilka /var/lib/razvilka/journal /var/lib/razvilka/demo \
    /var/lib/razvilka/certificates /var/lib/razvilka/reports
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY protos/gen/razvilka protos/gen/razvilka
COPY servicekit servicekit
COPY --from=code / /app/
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app
# Last, since nothing can be run afterwards: whoever breaks into a program finds no shell, no package manager and no
# interpreter but Python's.
RUN rm -rf /usr/bin/apt* /usr/bin/dpkg* /usr/lib/apt /var/lib/dpkg /usr/bin/perl* /usr/local/bin/pip* \
           /usr/local/lib/python3.*/site-packages/pip /usr/local/lib/python3.*/ensurepip /bin/bash /bin/dash /bin/sh
USER 10001:10001
CMD ["python", "-m", "services", "serve"]
