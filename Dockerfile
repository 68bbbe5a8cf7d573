# syntax=docker/dockerfile:1
# CrisisBridge: a slim image with no tools but PostgreSQL's client, that runs without rights and with a read-only root.

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.lock \
 && find /opt/venv -name __pycache__ -prune -exec rm -rf {} +

FROM python:3.13-slim-trixie
# pg_dump and pg_restore, for backups of PostgreSQL
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-client \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 bridge \
 && useradd --system --uid 10001 --gid bridge --no-create-home --shell /usr/sbin/nologin bridge \
 && install -d -o bridge -g bridge -m 0700 /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY LICENSE crisisbridge.py ./
COPY auth auth
COPY media media
COPY queue/oncall queue/oncall
COPY records records
COPY signaling signaling
COPY web web
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app:/app/queue \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CRISISBRIDGE_DATA_DIR=/data \
    CRISISBRIDGE_HOST=0.0.0.0 \
    CRISISBRIDGE_LOG_JSON=true
USER bridge
VOLUME /data
EXPOSE 8080/tcp 9443/udp
# The same question a load balancer asks; no shell and no curl needed.
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://' + (os.environ.get('CRISISBRIDGE_ADMIN_LISTEN') or '127.0.0.1:' + os.environ.get('CRISISBRIDGE_PORT', '8080')) + '/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "crisisbridge"]
CMD ["serve"]
