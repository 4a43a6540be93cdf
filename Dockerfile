# One image for every part of Gatecast: `serve`, `worker` and `migrate` are commands of it.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
# Without it, torch comes with CUDA. The address of an index of CPU builds makes the image about 5 GB smaller.
ARG TORCH_INDEX_URL=""
# Optional dependencies by name, such as prophet; none by default.
ARG EXTRAS=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN python -m venv /opt/gatecast
ENV PATH=/opt/gatecast/bin:$PATH
WORKDIR /src

# The dependencies are a layer of their own, so that a change of code does not fetch torch again.
COPY pyproject.toml constraints.txt ./
RUN python -c "import sys, tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      print(*p['dependencies'], *(d for e in sys.argv[1:] for d in p['optional-dependencies'][e]), sep='\n')" $EXTRAS \
      > requirements.txt \
 && if [ -n "$TORCH_INDEX_URL" ]; then \
      grep '^torch==' requirements.txt > torch.txt \
   && pip install --index-url "$TORCH_INDEX_URL" -r torch.txt; \
    fi \
 && pip install -c constraints.txt -r requirements.txt

COPY LICENSE README.md ./
COPY docs/sbom.cdx.json ./docs/
COPY app ./app
COPY client ./client
COPY gatecast ./gatecast
COPY models ./models
COPY migrations ./migrations
RUN pip install --no-deps . \
 && python -m venv /opt/tools \
 && /opt/tools/bin/pip install -c constraints.txt cyclonedx-bom \
 && /opt/tools/bin/cyclonedx-py environment --output-file /opt/gatecast/sbom.cdx.json /opt/gatecast

FROM python:${PYTHON_VERSION}-slim
RUN groupadd --gid 10001 gatecast \
 && useradd --uid 10001 --gid gatecast --no-create-home --home-dir /data --shell /usr/sbin/nologin gatecast \
 && install --directory --owner gatecast --group gatecast /data
COPY --from=build /opt/gatecast /opt/gatecast
ENV PATH=/opt/gatecast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATECAST_HOST=0.0.0.0 \
    GATECAST_PORT=8000 \
    GATECAST_AUTH=on \
    GATECAST_DATA_DIR=/data \
    GATECAST_LOG_FORMAT=json
WORKDIR /data
VOLUME /data
EXPOSE 8000
USER 10001:10001
# For `serve`; a container that runs another command has no port and switches it off. No urllib: it would ask a proxy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['GATECAST_PORT']), timeout=3); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["gatecast"]
CMD ["serve"]
