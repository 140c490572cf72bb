# The image: Node, the install tree in /opt/hermes, and docker/rootfs as it lies.
# Only what the classic builder, BuildKit, podman and buildah all understand: no RUN --mount, no COPY --chmod.
ARG BASE_IMAGE=node:26-bookworm-slim
# sha256:…, as `docker buildx imagetools inspect` prints it: the build then takes exactly this image, whatever the tag says by now.
ARG BASE_DIGEST=

FROM ${BASE_IMAGE}${BASE_DIGEST:+@${BASE_DIGEST}} AS build
WORKDIR /src
# Behind a proxy that inspects TLS: put its certificate into docker/ca. It is trusted in this stage only.
COPY docker/ca/ /ca/
COPY package.json package-lock.json ./
RUN set -eu; \
    if ls /ca/*.crt >/dev/null 2>&1; then cat /ca/*.crt >/ca/bundle.pem; export NODE_EXTRA_CA_CERTS=/ca/bundle.pem; fi; \
    npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json LICENSE ./
COPY scripts/build.ts scripts/run.ts scripts/
COPY scripts/build/ scripts/build/
COPY bin/ bin/
COPY src/ src/
COPY docker/rootfs/ docker/rootfs/
# Facts about this build: docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(date -u +%FT%TZ)"
ARG BASE_IMAGE
ARG BASE_DIGEST
ARG REVISION=unknown
ARG CREATED=
# Everything the image adds is laid out here and copied at once, so that no layer holds a file twice and the modes do not
# depend on the umask of the user who checked the sources out.
RUN set -eu; \
    mkdir -p /out/etc/cont-init.d /out/etc/cont-finish.d /out/etc/hermes /out/usr/share/doc/hermes; \
    cp -R docker/rootfs/. /out/; \
    HERMES_BUILD_REVISION="$REVISION" HERMES_BUILD_DATE="$CREATED" HERMES_BUILD_BASE="$BASE_IMAGE${BASE_DIGEST:+@$BASE_DIGEST}" \
      node scripts/build.ts /tmp/install; \
    mv /tmp/install/LICENSE /tmp/install/THIRD-PARTY-LICENSES /tmp/install/sbom.cdx.json /out/usr/share/doc/hermes/; \
    cp /tmp/install/lib/build.json /out/etc/hermes/image.json; \
    mv /tmp/install/share/* /out/usr/share/; rmdir /tmp/install/share; \
    cp -R /tmp/install/. /out/opt/hermes/; \
    find /out -type d -exec chmod 755 {} +; \
    find /out -type f -exec chmod 644 {} +; \
    chmod 755 /out/init /out/opt/hermes/bin/* /out/opt/hermes/docker/* /out/command/* /out/usr/bin/*

FROM ${BASE_IMAGE}${BASE_DIGEST:+@${BASE_DIGEST}}
ARG BASE_IMAGE
ARG BASE_DIGEST
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=
# Address of the repository, such as https://git.example/hermes
ARG SOURCE=
LABEL org.opencontainers.image.title="hermes" \
      org.opencontainers.image.description="Many supervised agent profiles in one container" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.url="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE:+${SOURCE}/tree/${REVISION}/docs}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
COPY --from=build /out/ /
# Written by hand: useradd is not in every base image. "*" is not the hash of any password, so no user can log in with one.
# The line for bash: Tab completes hermes in every shell, also without the package bash-completion.
# The directories in /run are for --user, which could not make them; group 0, because some platforms give any uid that group.
RUN set -eu; \
    echo 'hermes:x:10000:' >>/etc/group; \
    echo 'hermes:*:10000:10000:Hermes:/opt/data:/bin/sh' >>/etc/passwd; \
    echo '[ ! -r /usr/share/bash-completion/completions/hermes ] || . /usr/share/bash-completion/completions/hermes' \
      >>/etc/bash.bashrc; \
    mkdir -p /opt/data /run/hermes /run/service /run/s6 /run/s6-linux-init-container-results; \
    chown 10000:10000 /opt/data; \
    chown 10000:0 /run/hermes /run/service /run/s6 /run/s6-linux-init-container-results; \
    chmod 775 /run/hermes /run/service /run/s6 /run/s6-linux-init-container-results
ENV HERMES_HOME=/opt/data \
    PATH=/opt/hermes/bin:/command:$PATH
VOLUME /opt/data
EXPOSE 8642 9119
STOPSIGNAL SIGTERM
# The first check comes after one interval, and Swarm and depends_on wait for it (--start-interval wants engine 25). A check costs a
# shell of two milliseconds. A supervisor that does not answer is replaced after 30 s, so a minute of failures is a container's.
HEALTHCHECK --interval=3s --timeout=10s --start-period=60s --retries=20 CMD ["/opt/hermes/bin/hermes", "healthcheck"]
# Root, because init has the volume to repair and identities to give up: everything it starts runs as hermes.
ENTRYPOINT ["/init"]
CMD []
