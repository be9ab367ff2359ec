# Vigie's own processes: `vigie worker`, `vigie serve` and every other command. The servers have images of their own (docker-compose.yml).
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# All that is downloaded is held against the lock's hashes; what follows installs from these files alone.
COPY requirements.lock.txt ./
RUN pip download --quiet --require-hashes --only-binary :all: --dest /wheels --requirement requirements.lock.txt
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY deploy deploy
COPY streams streams
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --no-index --find-links /wheels hatchling \
    && /opt/build/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv /opt/vigie \
    && /opt/vigie/bin/pip install --quiet --no-index --find-links /wheels --only-binary :all: 'vigie[lab]' \
    && /opt/vigie/bin/pip uninstall --quiet --yes pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="vigie" org.opencontainers.image.version="0.2.0" org.opencontainers.image.licenses="Apache-2.0"
# Volumes that are mounted there begin with this owner.
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin vigie \
    && install -d -o vigie /archive \
    && install -d -o vigie /tokens
COPY --from=build /opt/vigie /opt/vigie
ENV PATH=/opt/vigie/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_STATE_HOME=/tmp
WORKDIR /tmp
USER 10001
# The observer, a worker, and a collector.
EXPOSE 8000 8001 8400
ENTRYPOINT ["vigie"]
CMD ["--help"]
