# Plaza's image: its commands are those of `python -m src`. Settings come from the environment;
# docs/operations.md, "With Docker", says which.

FROM python:3.11-slim-trixie AS base

FROM base AS build
WORKDIR /app
RUN python -m venv --without-pip /venv
COPY requirements/uv.txt requirements/run_uv.py requirements/prod.txt requirements/
# Wheels only: a source distribution would fetch what builds it, without hashes.
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    --only-binary :all: --no-deps --require-hashes --requirement requirements/uv.txt \
    && python requirements/run_uv.py pip sync --python /venv/bin/python --no-cache \
    --only-binary :all: --compile-bytecode --require-hashes requirements/prod.txt
COPY alembic.ini logging.ini ./
COPY templates templates
COPY alembic alembic
COPY src src
# Bytecode, which the running process may not write, and modes that it can read under any umask.
RUN /venv/bin/python -m compileall -q src alembic && chmod -R a+rX /app

FROM base
RUN groupadd --gid 10001 plaza \
    && useradd --uid 10001 --gid plaza --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin plaza
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
EXPOSE 8000
# http.client, unlike urllib, does not ask a proxy of the environment for 127.0.0.1.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "src"]
CMD ["serve"]
