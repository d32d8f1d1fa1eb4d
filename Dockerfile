# krmfn as a container function: any Python >= 3.11 on Debian or alike, any user, no HOME, a read-only root.
#
#   docker build -t localhost/krmfn .
#   docker run --rm -i --read-only --network none --user 65534 localhost/krmfn --version
#
# And as a config management plugin of Argo CD, with the kustomize of an image that has it at
# /app/kustomize, as the project's own has (docs/argocd.md):
#
#   docker build --target argocd --build-arg BASE_IMAGE=python:3.13-slim@sha256:… \
#     --build-arg KUSTOMIZE_IMAGE=…@sha256:… -t localhost/krmfn-argocd .
ARG BASE_IMAGE=python:3.13-slim
ARG KUSTOMIZE_IMAGE=scratch

FROM ${BASE_IMAGE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# Neither environment has a pip of its own: nothing of it reaches the image.
RUN python3 -m venv --without-pip /opt/krmfn && python3 -m venv --without-pip /opt/build
COPY requirements.txt requirements-build.txt ./
RUN python3 -m pip --python /opt/krmfn/bin/python install --quiet --no-compile --require-hashes --only-binary :all: -r requirements.txt && \
    python3 -m pip --python /opt/build/bin/python install --quiet --require-hashes --only-binary :all: -r requirements-build.txt
COPY . .
RUN python3 -m pip --python /opt/build/bin/python wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel . && \
    python3 -m pip --python /opt/krmfn/bin/python install --quiet --no-compile --no-deps --no-index /wheel/*.whl
# A function runs as another user, often on a read-only root, and could not write these: without them
# a start takes twice as long. Unchecked, because no source here ever changes.
# Half of the image would be the Kubernetes client's typed calls, and its second, asynchronous copy with
# the library that it alone uses: `krmfn cert` sends its two requests without them.
RUN cd /opt/krmfn/lib/python3*/site-packages && rm -rf kubernetes/aio aiohttp kubernetes/client/api && \
    /opt/krmfn/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/krmfn/lib

FROM ${BASE_IMAGE} AS function
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="krmfn" \
      org.opencontainers.image.description="Seals vault values for the overlay's namespace while kustomize builds" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Some base images bring the standard library without its bytecode; present files are left alone.
RUN test -s /etc/ssl/certs/ca-certificates.crt && \
    python3 -m compileall -q -j 0 -x '/(test|tests|idlelib|lib2to3|ensurepip|turtledemo|tkinter|dist-packages|site-packages)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/krmfn /opt/krmfn
RUN ln -s /opt/krmfn/bin/krmfn /usr/local/bin/krmfn
# Nothing from the working directory is imported, nothing is written beside the code.
ENV PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1
# The annotation mounts the overlay's files below it.
WORKDIR /overlay
USER 65534:65534
ENTRYPOINT ["krmfn"]

FROM ${KUSTOMIZE_IMAGE} AS kustomize

FROM function AS argocd
LABEL org.opencontainers.image.title="krmfn-argocd" \
      org.opencontainers.image.description="krmfn as a config management plugin of Argo CD"
COPY --from=kustomize --chmod=0755 /app/kustomize /usr/local/bin/kustomize
COPY --from=build --chmod=0644 /src/krmfn/argocd/plugin.yaml /home/argocd/cmp-server/config/plugin.yaml
# Without the platform's policy nothing is read: who writes a repository must not choose what it gets.
ENV KRMFN_KUSTOMIZE=/usr/local/bin/kustomize KRMFN_REQUIRE_POLICY=1
WORKDIR /home/argocd
# The user of the repo-server, whose volume holds the socket; the init container brings the server.
USER 999:999
ENTRYPOINT ["/var/run/argocd/argocd-cmp-server"]

# The last stage is what is built when none is named.
FROM function
