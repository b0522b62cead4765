# The image of the server: the binary, the C library and the system's certificates.
# It has no shell.
#
#   docker build -t kroger-mcp .
#   docker run -p 127.0.0.1:9004:9004 -e KROGER_CLIENT_ID=… -e KROGER_CLIENT_SECRET=… \
#       -v ./tokens:/app/.tokens --user "$(id -u):$(id -g)" --read-only --tmpfs /cache:mode=1777 kroger-mcp

FROM docker.io/library/rust:1.95-slim-bookworm AS build
WORKDIR /build
RUN rustup target add wasm32-wasip2
COPY . .
RUN cargo build --release --locked -p kroger-mcp \
    && install -D target/release/kroger-mcp /root-of-image/usr/local/bin/kroger-mcp \
    && install -d -m 0755 /root-of-image/app \
    && install -d -m 0700 /root-of-image/tokens \
    && install -d -m 0700 /root-of-image/cache

FROM gcr.io/distroless/cc-debian12:nonroot
# Root owns /app, so that the process may run as any user: it trusts no directory of
# another user than its own and root.
COPY --from=build --chown=0:0 /root-of-image/app /app
COPY --from=build --chown=65532:65532 /root-of-image/tokens /app/.tokens
COPY --from=build --chown=65532:65532 /root-of-image/cache /cache
COPY --from=build /root-of-image/usr /usr
# The cache of compiled code. Without it the component is compiled at each start,
# which takes some seconds.
ENV XDG_CACHE_HOME=/cache
WORKDIR /app
USER 65532:65532
# The store must outlive the container. To mirror tokens to a `.env`, mount that file
# beside it.
VOLUME ["/app/.tokens"]
EXPOSE 9004
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/kroger-mcp"]
# Publish the port on 127.0.0.1: anybody who reaches it can act for everyone who is
# signed in.
CMD ["serve", "--listen", "0.0.0.0:9004"]
