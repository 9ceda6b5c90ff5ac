# The gateway as an image: Debian's Python, the gateway, and nothing else; no shell, no package manager, no compiler.
#   docker build -t mail-gateway .          (or: make image, which uses buildah)
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -v gateway:/var/lib/gateway -p 25:2525 mail-gateway
# BASE is any Debian from bookworm on; only the stages that build run on it. Debian's Python, since one that was built
# without profile-guided optimisation is up to 1.4 times slower.
ARG BASE=debian:12-slim

FROM ${BASE} AS tools
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv >/dev/null

# Everything that will run, in one folder at its final place; the secrets are optional: pip's configuration and the
# certificates of an index of one's own, neither of which is written to a layer.
FROM tools AS wheels
RUN DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends binutils >/dev/null
WORKDIR /build
COPY requirements/run.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=certificates,target=/run/secrets/certificates \
    python3 -m venv tools \
 && sed -n '/^setuptools==/,/[^\\]$/p' requirements/run.txt >requirements/setuptools.txt \
 && tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/setuptools.txt \
 && tools/bin/pip wheel --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation --use-pep517 \
      --wheel-dir wheels -r requirements/run.txt \
 && rm wheels/setuptools-*.whl
COPY pyproject.toml README.md LICENSE ./
COPY policies policies
COPY gateway gateway
RUN tools/bin/pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
 && python3 -m venv --without-pip /opt/gateway \
 && tools/bin/pip --python /opt/gateway/bin/python install --quiet --disable-pip-version-check --no-index --no-deps --no-compile wheels/*.whl \
 && find /opt/gateway/bin -type f ! -name gateway -delete \
 && find /opt/gateway/lib -name '*.so' -exec strip --strip-unneeded {} + \
 && /opt/gateway/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/gateway/lib

FROM tools AS root
COPY deploy/image/root.sh /usr/local/sbin/
RUN root.sh /root-folder python3 libstdc++6 tzdata \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /root-folder -p / /root-folder/usr/lib/python3* \
 && install -d -o 10025 -g 10025 -m 0700 /root-folder/var/lib/gateway
COPY deploy/image/gateway.toml /root-folder/etc/gateway/
COPY policies /root-folder/etc/gateway/policies

FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="mail-gateway" \
      org.opencontainers.image.description="Inbound mail gateway for public offices" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=root /root-folder /
COPY --from=wheels /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:/usr/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    GATEWAY_CONFIG=/etc/gateway/gateway.toml
USER 10025:10025
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
EXPOSE 2525 9925
# SIGTERM drains: transactions have `drain` seconds (620) to finish, so give the container longer: --stop-timeout 640
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-I", "-m", "gateway.healthcheck"]
ENTRYPOINT ["gateway"]
CMD ["run"]
