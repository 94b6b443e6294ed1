package main

// composeFiles are typical compose files, with most keys that such files have and the layouts people use.
const composeFiles = `# Variables come from the .env file
include:
  - path: ./common/compose.yml
    env_file: ./common/.env
x-logging: &default-logging
  driver: "json-file"
  options:
    max-size: "10m"
    max-file: "3"
x-common: &common
  restart: unless-stopped
  logging: *default-logging
  security_opt:
    - no-new-privileges:true
secrets:
  db_password:
    file: ./secrets/db_password.txt
  api_token:
    environment: API_TOKEN
configs:
  nginx_conf:
    file: ./nginx.conf
  prometheus:
    content: |
      global:
        scrape_interval: 15s
        evaluation_interval: 15s
      scrape_configs:
        - job_name: "node"
          static_configs:
            - targets: ["localhost:9090"]
version: "3.8"
services:
  proxy:
    <<: *common
    image: nginx:1.27-alpine
    container_name: reverse-proxy
    hostname: proxy
    ports:
      - "80:80"
      - "443:443"
      - "127.0.0.1:8080:8080"
      - target: 8443
        published: "8443"
        protocol: tcp
        mode: host
    volumes:
      - ./nginx.conf:/etc/nginx/nginx.conf:ro
      - ./conf.d:/etc/nginx/conf.d:ro
      - ./certs:/etc/ssl/certs:ro
      - /etc/localtime:/etc/localtime:ro
      - /var/run/docker.sock:/var/run/docker.sock:ro
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.web.rule=Host(` + "`example.com`" + `)"
      - "traefik.http.routers.web.entrypoints=websecure"
      - "traefik.http.services.web.loadbalancer.server.port=80"
    extra_hosts:
      - "host.docker.internal:host-gateway"
    dns:
      - 1.1.1.1
      - 8.8.8.8
    depends_on:
      - app
  broker:
    image: eclipse-mosquitto:2.0
    command: ["mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]
    ports:
      - "1883:1883"
      - "9001:9001"
    volumes:
      - ./mosquitto/config:/mosquitto/config
      - mosquitto_data:/mosquitto/data
      - mosquitto_log:/mosquitto/log
  nodered:
    image: nodered/node-red:4.0
    user: "1000:1000"
    environment:
      - TZ=Europe/Berlin
      - NODE_RED_ENABLE_PROJECTS=true
    volumes:
      - nodered_data:/data
    devices:
      - /dev/ttyUSB0:/dev/ttyUSB0
    group_add:
      - dialout
    privileged: true
    network_mode: host
    cap_add:
      - NET_ADMIN
      - SYS_TIME
    cap_drop:
      - ALL
    sysctls:
      net.core.somaxconn: 1024
    ulimits:
      nofile:
        soft: 65536
        hard: 65536
    tmpfs:
      - /tmp
    read_only: true
    init: true
    stop_grace_period: 30s
    stop_signal: SIGTERM
    shm_size: 256m
    mem_limit: 512m
    cpus: 0.5
    pids_limit: 200
    working_dir: /app
    entrypoint: ["/bin/sh", "-c"]
    profiles: ["debug"]
    pull_policy: always
    platform: linux/arm64
    env_file:
      - .env
    expose:
      - "3000"
    build:
      context: .
      dockerfile: Dockerfile
      args:
        VERSION: ${VERSION:-latest}
  metrics:
    image: influxdb:2.7
    environment:
      DOCKER_INFLUXDB_INIT_MODE: setup
      DOCKER_INFLUXDB_INIT_USERNAME: ${INFLUX_USER:-admin}
      DOCKER_INFLUXDB_INIT_PASSWORD: ${INFLUX_PASSWORD:?set a password}
      DOCKER_INFLUXDB_INIT_BUCKET: telemetry
    volumes:
      - influxdb_data:/var/lib/influxdb2
      - prometheus_data:/prometheus
    command:
      - "--config.file=/etc/prometheus/prometheus.yml"
      - "--storage.tsdb.retention.time=30d"
      - "--web.listen-address=:9090"
  grafana:
    image: grafana/grafana:11.6.0
    restart: always
    environment:
      - GF_SECURITY_ADMIN_PASSWORD=${GRAFANA_PASSWORD}
      - GF_SERVER_ROOT_URL=https://${DOMAIN}/grafana
    ports:
      - "3000:3000"
    volumes:
      - grafana_data:/var/lib/grafana
      - ./grafana/provisioning:/etc/grafana/provisioning:ro
  cache:
    image: redis:7-alpine
    command: redis-server --appendonly yes --maxmemory 256mb --maxmemory-policy allkeys-lru
    volumes:
      - redis_data:/data
    healthcheck:
      test: ["CMD", "redis-cli", "ping"]
  db:
    image: postgres:16-alpine
    restart: unless-stopped
    environment:
      POSTGRES_DB: ${POSTGRES_DB:-app}
      POSTGRES_USER: ${POSTGRES_USER:-app}
      POSTGRES_PASSWORD_FILE: /run/secrets/db_password
    secrets:
      - db_password
    volumes:
      - db_data:/var/lib/postgresql/data
      - ./init.sql:/docker-entrypoint-initdb.d/init.sql:ro
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U $${POSTGRES_USER} -d $${POSTGRES_DB}"]
      interval: 10s
      timeout: 5s
      retries: 5
      start_period: 30s
  app:
    image: ghcr.io/example/app:${APP_VERSION:-latest}
    restart: on-failure:5
    depends_on:
      db:
        condition: service_healthy
        restart: true
      migrate:
        condition: service_completed_successfully
    environment:
      - LOG_LEVEL=info
      - DATABASE_URL=postgres://app:${DB_PASSWORD}@db:5432/app?sslmode=disable
      - MQTT_HOST=broker
      - MQTT_PORT=1883
      - REDIS_URL=redis://cache:6379/0
    configs:
      - source: app_config
        target: /etc/app/config.yml
        mode: 0440
    volumes:
      - type: bind
        source: ./config
        target: /config
        read_only: true
      - app_data:/data
    networks:
      frontend:
        aliases:
          - web
      backend:
        ipv4_address: 172.28.0.10
    deploy:
      replicas: 1
      resources:
        limits:
          cpus: "0.50"
          memory: 512M
        reservations:
          memory: 128M
          devices:
            - driver: nvidia
              count: 1
              capabilities: [gpu]
      restart_policy:
        condition: on-failure
        delay: 5s
        max_attempts: 3
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8080/health"]
      test: ["CMD", "wget", "-q", "--spider", "http://localhost:3000/healthz"]
      interval: 30s
      timeout: 10s
      retries: 3
      start_period: 20s
networks:
  frontend:
  backend:
    driver: bridge
    internal: true
    external: true
    name: backend
    ipam:
      config:
        - subnet: 172.28.0.0/16
volumes:
  db_data:
    driver: local
    driver_opts:
      type: none
      o: bind
      device: /srv/data
  app_data:
    external: true
  grafana_data: {}
  redis_data:
`
