# The agent, with the composer beside it. `make images` gives the two programs as the context; nothing is downloaded.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="farshore-agent" \
      org.opencontainers.image.description="Keeps one device as its Farshore hub desires" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY farshore-agent farshore-composer /usr/local/bin/
# The device's own /etc, /usr/lib and /sys are looked for here, to say what machine it is.
ENV FARSHORE_HOST_ROOT=/host
# An agent whose hub, engine or edge key is missing is well: that is not mended by starting it again.
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s CMD ["/usr/local/bin/farshore-agent", "health"]
ENTRYPOINT ["/usr/local/bin/farshore-agent"]
CMD ["run"]
