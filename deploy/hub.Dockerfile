# The hub, as a user without rights. `make images` gives the program and an empty folder as the context; nothing is
# downloaded.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="farshore-hub" \
      org.opencontainers.image.description="The server of a fleet of edge devices" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY farshore-hub /usr/local/bin/
# A new volume takes over the folder's owner.
COPY --chown=65532:65532 data /var/lib/farshore-hub
USER 65532:65532
ENV FARSHORE_HUB_DATA=/var/lib/farshore-hub
VOLUME /var/lib/farshore-hub
EXPOSE 9443 8883
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s CMD ["/usr/local/bin/farshore-hub", "health"]
ENTRYPOINT ["/usr/local/bin/farshore-hub"]
CMD ["serve"]
