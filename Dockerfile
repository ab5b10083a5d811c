# syntax=docker/dockerfile:1
# The gobgpd that Herald is tested with, and its client for the liveness probe: go.sum says which, to the byte.
FROM golang:1.26-bookworm AS gobgpd
WORKDIR /gobgpd
COPY test/cluster/go.mod test/cluster/go.sum ./
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /usr/local/bin/ \
      github.com/osrg/gobgp/v4/cmd/gobgpd github.com/osrg/gobgp/v4/cmd/gobgp
# The licences of all that is linked into them.
RUN go list -deps -f '{{with .Module}}{{.Path}} {{.Dir}}{{end}}' \
      github.com/osrg/gobgp/v4/cmd/gobgpd github.com/osrg/gobgp/v4/cmd/gobgp | sort -u | while read -r path dir; do \
      mkdir -p "/licenses/$path" && find "$dir" -maxdepth 1 \( -iname 'licen[cs]e*' -o -iname 'notice*' \) -exec cp {} "/licenses/$path" \; ; \
    done

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
COPY --from=gobgpd /usr/local/bin/gobgpd /usr/local/bin/gobgp /usr/local/bin/
COPY --from=gobgpd /licenses /usr/local/share/doc/gobgp
COPY --from=build /herald/package.json /herald/LICENSE ./
COPY --from=build /herald/node_modules node_modules
COPY --from=build /herald/prebuilds prebuilds
COPY --from=build /herald/proto proto
COPY --from=build /herald/dist dist
# The controller needs nothing; the speaker's DaemonSet asks for root with NET_RAW alone, and for gobgpd with
# NET_BIND_SERVICE alone.
USER 65534:65534
ENTRYPOINT ["node", "/herald/dist/main.js"]
