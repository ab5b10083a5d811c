# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /herald
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="herald" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /herald
ENV NODE_ENV=production
COPY --from=build /herald/package.json /herald/LICENSE ./
COPY --from=build /herald/node_modules node_modules
COPY --from=build /herald/prebuilds prebuilds
COPY --from=build /herald/dist dist
# The controller needs nothing; the speaker's DaemonSet asks for root with NET_RAW alone.
USER 65534:65534
ENTRYPOINT ["node", "/herald/dist/main.js"]
