{{- define "sallyport.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that "-admin" and "-test" still fit. */}}
{{- define "sallyport.fullname" -}}
{{- $name := include "sallyport.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sallyport.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sallyport.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: proxy
{{- end -}}

{{/* Of everything, without the component: a selector must never catch the test pod. */}}
{{- define "sallyport.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "sallyport.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "sallyport.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The port of server.listen or server.admin: (list scope "listen" "0.0.0.0:8080"). */}}
{{- define "sallyport.port" -}}
{{- $scope := index . 0 -}}
{{- $address := dig "server" (index . 1) (index . 2) $scope.Values.config -}}
{{- required (printf "config.server.%s: %q does not end in a port; the chart has to know it" (index . 1) $address) (regexFind "[0-9]+$" $address) -}}
{{- end -}}
{{- define "sallyport.listenPort" -}}{{ include "sallyport.port" (list . "listen" "0.0.0.0:8080") }}{{- end -}}
{{- define "sallyport.adminPort" -}}{{ include "sallyport.port" (list . "admin" "0.0.0.0:9090") }}{{- end -}}

{{/* The configuration file. */}}
{{- define "sallyport.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if eq .Values.mode "sidecar" -}}
{{- $app := dict "url" (printf "http://127.0.0.1:%d" (int .Values.app.port)) -}}
{{- $_ := set $config "app" (merge (deepCopy (default dict $config.app)) $app) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Seconds from the end of the pod's life that Sallyport and the app beside it need, and the formula in words. */}}
{{- define "sallyport.stopping" -}}
{{- $preStop := int .Values.preStopSeconds -}}
{{- $drain := int (ceil (dig "server" "drainSeconds" 20 .Values.config)) -}}
{{- $app := int .Values.app.shutdownSeconds -}}
{{- if eq .Values.mode "gateway" -}}
seconds: {{ add $preStop $drain }}
formula: {{ printf "preStopSeconds %d + config.server.drainSeconds %d" $preStop $drain }}
{{- else if .Values.nativeSidecar -}}
{{- /* The kubelet sends SIGTERM to a native sidecar only when the app has gone. */}}
seconds: {{ add $preStop $app $drain }}
formula: {{ printf "preStopSeconds %d + app.shutdownSeconds %d + config.server.drainSeconds %d" $preStop $app $drain }}
{{- else -}}
seconds: {{ add $preStop (max $app $drain) }}
formula: {{ printf "preStopSeconds %d + the longer of app.shutdownSeconds %d and config.server.drainSeconds %d" $preStop $app $drain }}
{{- end -}}
{{- end -}}

{{- define "sallyport.replicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas }}{{- else -}}{{ .Values.replicaCount }}{{- end -}}
{{- end -}}

{{- define "sallyport.publicHost" -}}
{{- $url := dig "server" "publicUrl" "" .Values.config -}}
{{- if contains "${" $url -}}
{{- fail (printf "config.server.publicUrl is %q: name httpRoute.hostnames or ingress.hosts, the chart cannot see the environment" $url) -}}
{{- end -}}
{{- (urlParse $url).hostname -}}
{{- end -}}

{{/* Not empty where one of the mounts has the file: (list mounts "/run/app/app.sock"). */}}
{{- define "sallyport.mounted" -}}
{{- $file := index . 1 -}}
{{- range index . 0 -}}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $file -}}{{ .name }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the schema cannot say. */}}
{{- define "sallyport.validate" -}}
{{- $values := .Values -}}
{{- range $key, $default := dict "listen" "0.0.0.0:8080" "admin" "0.0.0.0:9090" -}}
{{- $address := dig "server" $key $default $values.config -}}
{{- if regexMatch "^(127\\.|localhost|\\[::1\\])" $address -}}
{{- fail (printf "config.server.%s: %q is loopback; the kubelet and the Service reach the pod's own address" $key $address) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "sallyport.listenPort" .) (include "sallyport.adminPort" .) -}}
{{- fail "config.server.listen and config.server.admin use the same port" -}}
{{- end -}}
{{- $appUrl := dig "app" "url" "" .Values.config -}}
{{- if and (eq .Values.mode "gateway") (regexMatch "^https?://(127\\.|localhost|\\[::1\\])" $appUrl) -}}
{{- fail (printf "config.app.url: %q is loopback, where nothing but Sallyport is in gateway mode; name the app's Service, or use mode: sidecar" $appUrl) -}}
{{- end -}}
{{- if hasPrefix "unix:" $appUrl -}}
{{- if eq .Values.mode "gateway" -}}
{{- fail (printf "config.app.url: %q is a socket, which nothing but Sallyport could listen on in gateway mode; name the app's Service, or use mode: sidecar" $appUrl) -}}
{{- end -}}
{{- $socket := trimPrefix "unix://" $appUrl -}}
{{- $mounts := dict "extraVolumeMounts" .Values.extraVolumeMounts -}}
{{- if eq .Values.mode "sidecar" -}}{{- $_ := set $mounts "app.volumeMounts" .Values.app.volumeMounts -}}{{- end -}}
{{- range $key, $mounted := $mounts -}}
{{- if not (include "sallyport.mounted" (list $mounted $socket)) -}}
{{- fail (printf "%s: config.app.url is %q, so mount a volume that Sallyport and the app share (extraVolumes) at %s" $key $appUrl (dir $socket)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (not .Values.app.image) -}}
{{- fail "app.image: mode sidecar needs the app's image" -}}
{{- end -}}
{{- range regexFindAll "\"fromFile\":\"/run/secrets/sallyport/[^\"]*\"" (toJson .Values.config) -1 -}}
{{- $file := trimSuffix "\"" (trimPrefix "\"fromFile\":\"/run/secrets/sallyport/" .) -}}
{{- if not $values.secrets.existingSecret -}}
{{- fail (printf "secrets.existingSecret: config reads /run/secrets/sallyport/%s, so name the Secret" $file) -}}
{{- end -}}
{{- if and $values.secrets.keys (not (hasKey $values.secrets.keys $file)) -}}
{{- fail (printf "secrets.keys: config reads /run/secrets/sallyport/%s, which is not among them" $file) -}}
{{- end -}}
{{- end -}}
{{- with dig "audit" "file" "" .Values.config -}}
{{- if or (not (isAbs .)) (has (dir .) (list "/" "/app" "/etc/sallyport" "/run/secrets/sallyport")) -}}
{{- fail (printf "config.audit.file: %q has to be an absolute path in a directory of its own, where a volume is mounted" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (ne .Values.mode "gateway") -}}
{{- fail "autoscaling: for mode gateway only; beside an app it is the app that decides" -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- fail "monitoring: enable podMonitor or serviceMonitor; both would scrape twice" -}}
{{- end -}}
{{- if and .Values.appNetworkPolicy.enabled (ne .Values.mode "gateway") -}}
{{- fail "appNetworkPolicy: for mode gateway only; beside the app, networkPolicy covers the pod" -}}
{{- end -}}
{{- if and .Values.appNetworkPolicy.enabled (not .Values.appNetworkPolicy.matchLabels) -}}
{{- fail "appNetworkPolicy.matchLabels: name the labels of the app's pods" -}}
{{- end -}}
{{- end -}}
