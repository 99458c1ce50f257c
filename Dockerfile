# One image for both ends: `uotp server /etc/uotp/NAME.toml`, `uotp client ...`, and all other commands.
#
# Debian and not Alpine: memory that is freed goes back to the system by malloc_trim(3) of glibc alone, and the
# resolver of musl asks all name servers at once.

FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv --without-pip /opt/uotp \
    && pip --python /opt/uotp/bin/python install --no-cache-dir .

FROM python:3.13-slim
RUN groupadd --system --gid 10001 uotp \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin uotp \
    && install --directory --owner=uotp --group=uotp --mode=0700 /run/uotp /var/lib/uotp
COPY --from=build /opt/uotp /opt/uotp
# Where the control socket is, and what a client remembers of its server.
ENV PATH=/opt/uotp/bin:$PATH RUNTIME_DIRECTORY=/run/uotp STATE_DIRECTORY=/var/lib/uotp
USER 10001:10001
STOPSIGNAL SIGTERM
# It asks the program by its control socket, and fails when that does not answer, or says that it is not ready.
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["uotp", "status", "--check"]
ENTRYPOINT ["uotp"]
CMD ["--help"]
