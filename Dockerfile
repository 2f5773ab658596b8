# The tag is the version in package.json's optionalDependencies. Release automation pins the digest as well:
#   --build-arg NODE_IMAGE=node:26.10.0-slim@sha256:…
ARG NODE_IMAGE=node:26.10.0-slim

# Every package, to compile and for the demo. Install scripts are not run: nothing here needs one.
FROM ${NODE_IMAGE} AS development
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM development AS build
COPY LICENSE tsconfig.json tsconfig.build.json ./
COPY src ./src
# chmod: the checkout's umask must not decide what the image's user can read.
RUN npm run build && chmod -R a+rX package.json LICENSE dist

# What runs: without the optional packages too, which carry Node itself.
FROM ${NODE_IMAGE} AS production
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# The three services of docker-compose.yml, run as TypeScript with the image's Node. `docker build --target demo`.
FROM development AS demo
COPY src ./src
COPY demo ./demo
RUN chmod -R a+rX package.json src demo
USER 65532:65532
ENTRYPOINT ["node"]
CMD ["demo/main.ts"]

# The last stage is what `docker build` makes.
FROM ${NODE_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sallyport" \
  org.opencontainers.image.description="Sidecar identity-aware proxy for Looker" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Package managers have no work in a running proxy, and they are the most frequent finding of image scanners.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
  /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
ENV NODE_ENV=production \
  SALLYPORT_CONFIG=/etc/sallyport/config.yaml
# By number, so that runAsNonRoot can be checked. Nothing is written: a read-only root file system is fine.
USER 65532:65532
EXPOSE 8080 9090
# No HEALTHCHECK: Kubernetes ignores it, and the admin port is the configuration's to choose. docker-compose.yml has one.
# Exec form: node is process 1 and gets SIGTERM itself. Young objects get 8 MB, not 16: a tenth less memory at a cold start.
ENTRYPOINT ["node", "--max-semi-space-size=8", "--memory-reducer-gc-count=0", "dist/main.js"]
CMD ["serve"]
