{{/* Name of everything in the release. A StatefulSet's name goes into a label of 63 characters, with 11 more. */}}
{{- define "hermes.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 46 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods. They cannot change, so they contain no version. */}}
{{- define "hermes.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hermes.labels" -}}
{{ include "hermes.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/part-of: hermes
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{/* The variable of each secret, which gets _FILE. */}}
{{- define "hermes.secretVariables" -}}
database: HERMES_KANBAN_DATABASE
nodeToken: HERMES_NODE_TOKEN
dashboardPassword: HERMES_DASHBOARD_BASIC_AUTH_PASSWORD
dashboardPasswordHash: HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH
oauthClientSecret: HERMES_DASHBOARD_OAUTH_CLIENT_SECRET
metricsToken: HERMES_METRICS_TOKEN
apiServerKey: API_SERVER_KEY
{{- end -}}

{{/* Name of the volume of a secret: node-token for nodeToken. */}}
{{- define "hermes.secretVolume" -}}
{{- printf "secret-%s" (kebabcase .) -}}
{{- end -}}

{{/* Values that cannot work together: one line each, and nothing is rendered. */}}
{{- define "hermes.check" -}}
{{- $secrets := .Values.secrets -}}
{{- if and (gt (int .Values.replicas) 1) (not $secrets.database) -}}
{{- fail (printf "replicas is %d, but secrets.database is empty: nodes share a board in PostgreSQL; set secrets.database, or replicas to 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.dashboard.enabled (not (or $secrets.dashboardPassword $secrets.dashboardPasswordHash .Values.dashboard.oidc.issuer .Values.env.HERMES_DASHBOARD_INSECURE)) -}}
{{- fail "dashboard.enabled is true, but there is no log-in: set secrets.dashboardPassword, secrets.dashboardPasswordHash or dashboard.oidc.issuer" -}}
{{- end -}}
{{- if and $secrets.dashboardPassword $secrets.dashboardPasswordHash -}}
{{- fail "secrets.dashboardPassword and secrets.dashboardPasswordHash are both set: remove one of them" -}}
{{- end -}}
{{- if and .Values.apiServer.enabled (not $secrets.apiServerKey) -}}
{{- fail "apiServer.enabled is true, but secrets.apiServerKey is empty: the API server listens on all addresses, so it needs a key" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (and .Values.dashboard.enabled $secrets.metricsToken)) -}}
{{- fail "serviceMonitor.enabled is true, but the dashboard serves the metrics, and only with a token: set dashboard.enabled and secrets.metricsToken" -}}
{{- end -}}
{{- end -}}
