{{/*
For an app's own chart that has this one as a dependency (no alias) with `sallyport.mode: library`. Each takes the
chart's root context. This chart's own templates use them too, so the two ways in cannot drift apart.
*/}}

{{/* The container, as a list item: under initContainers by default, under containers with nativeSidecar: false. */}}
{{- define "sallyport.sidecar" -}}
{{- $s := required "sallyport.*: have the chart sallyport as a dependency, without an alias" (ternary . .Subcharts.sallyport (eq .Chart.Name "sallyport")) -}}
{{- $adminPort := include "sallyport.adminPort" $s | int -}}
- name: sallyport
  image: {{ include "sallyport.image" $s | quote }}
  imagePullPolicy: {{ $s.Values.image.pullPolicy }}
  {{- if and $s.Values.nativeSidecar (ne $s.Values.mode "gateway") }}
  restartPolicy: Always
  {{- end }}
  args: [serve]
  env:
    - name: SALLYPORT_CONFIG
      value: /etc/sallyport/config.yaml
    {{- with $s.Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $s.Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - name: sallyport
      containerPort: {{ include "sallyport.listenPort" $s }}
      protocol: TCP
    - name: sallyport-admin
      containerPort: {{ $adminPort }}
      protocol: TCP
  {{- /* Ports by number: a probe or Service that names a port of a restartable init container fails before 1.32. */}}
  startupProbe:
    httpGet: { path: /livez, port: {{ $adminPort }} }
    {{- toYaml $s.Values.probes.startup | nindent 4 }}
  livenessProbe:
    httpGet: { path: /livez, port: {{ $adminPort }} }
    {{- toYaml $s.Values.probes.liveness | nindent 4 }}
  readinessProbe:
    httpGet: { path: /readyz, port: {{ $adminPort }} }
    {{- toYaml $s.Values.probes.readiness | nindent 4 }}
  {{- if $s.Values.preStopSeconds }}
  lifecycle:
    preStop:
      sleep: { seconds: {{ $s.Values.preStopSeconds }} }
  {{- end }}
  resources:
    {{- toYaml $s.Values.resources | nindent 4 }}
  {{- /* Not configurable, and on the container: it holds in whatever pod the sidecar is included. */}}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: { drop: [ALL] }
    seccompProfile: { type: RuntimeDefault }
  volumeMounts:
    - name: sallyport-config
      mountPath: /etc/sallyport
      readOnly: true
    {{- if $s.Values.secrets.existingSecret }}
    - name: sallyport-secrets
      mountPath: /run/secrets/sallyport
      readOnly: true
    {{- end }}
    {{- with dig "audit" "file" "" $s.Values.config }}
    - name: sallyport-audit
      mountPath: {{ dir . }}
    {{- end }}
    {{- with $s.Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Pod volumes, as list items. */}}
{{- define "sallyport.volumes" -}}
{{- $s := required "sallyport.*: have the chart sallyport as a dependency, without an alias" (ternary . .Subcharts.sallyport (eq .Chart.Name "sallyport")) -}}
- name: sallyport-config
  configMap:
    name: {{ include "sallyport.fullname" $s }}
{{- with $s.Values.secrets }}
{{- if .existingSecret }}
- name: sallyport-secrets
  secret:
    secretName: {{ .existingSecret }}
    {{- /* 0444: readable by the non-root user in any pod; only Sallyport's container mounts it. */}}
    defaultMode: 292
    {{- with .keys }}
    items:
      {{- range $file, $key := . }}
      - key: {{ $key }}
        path: {{ $file }}
      {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- if dig "audit" "file" "" $s.Values.config }}
- name: sallyport-audit
  {{- with $s.Values.audit.volume }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ $s.Values.audit.sizeLimit }}
  {{- end }}
{{- end }}
{{- with $s.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Pod annotations: a changed configuration rolls the pods. (A changed Secret does not: the process watches its files.) */}}
{{- define "sallyport.podAnnotations" -}}
{{- $s := required "sallyport.*: have the chart sallyport as a dependency, without an alias" (ternary . .Subcharts.sallyport (eq .Chart.Name "sallyport")) -}}
checksum/sallyport-config: {{ include "sallyport.config" $s | sha256sum }}
{{- end -}}

{{/* Service ports, as list items: the proxy's only. The admin port never stands behind the ingress. */}}
{{- define "sallyport.ports" -}}
{{- $s := required "sallyport.*: have the chart sallyport as a dependency, without an alias" (ternary . .Subcharts.sallyport (eq .Chart.Name "sallyport")) -}}
- name: http
  port: {{ $s.Values.service.port }}
  targetPort: {{ include "sallyport.listenPort" $s }}
  protocol: TCP
{{- end -}}

{{/* The pod's terminationGracePeriodSeconds. */}}
{{- define "sallyport.terminationGracePeriodSeconds" -}}
{{- $s := required "sallyport.*: have the chart sallyport as a dependency, without an alias" (ternary . .Subcharts.sallyport (eq .Chart.Name "sallyport")) -}}
{{- $stopping := include "sallyport.stopping" $s | fromYaml -}}
{{- $needed := int $stopping.seconds -}}
{{- if kindIs "invalid" $s.Values.terminationGracePeriodSeconds -}}
{{- add $needed 5 -}}
{{- else if le (int $s.Values.terminationGracePeriodSeconds) $needed -}}
{{- fail (printf "terminationGracePeriodSeconds: %d has to be more than %d (%s), or requests are cut off" (int $s.Values.terminationGracePeriodSeconds) $needed $stopping.formula) -}}
{{- else -}}
{{- $s.Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/*
A NetworkPolicy's spec without its podSelector, which only the including chart knows: write that beside it. It admits
the proxy's port, and the admin port from networkPolicy.monitoringFrom. The app's own port is admitted to nobody.
*/}}
{{- define "sallyport.networkPolicy" -}}
{{- $s := required "sallyport.*: have the chart sallyport as a dependency, without an alias" (ternary . .Subcharts.sallyport (eq .Chart.Name "sallyport")) -}}
{{- $policy := $s.Values.networkPolicy -}}
{{- $adminPeers := $policy.monitoringFrom -}}
{{- if ne $s.Values.mode "library" -}}
{{- $test := dict "app.kubernetes.io/name" (include "sallyport.name" $s) "app.kubernetes.io/instance" $s.Release.Name "app.kubernetes.io/component" "test" -}}
{{- $adminPeers = append $adminPeers (dict "podSelector" (dict "matchLabels" $test)) -}}
{{- end -}}
policyTypes: {{ ternary "[Ingress, Egress]" "[Ingress]" (not (empty $policy.egress)) }}
ingress:
  - ports:
      - port: {{ include "sallyport.listenPort" $s }}
        protocol: TCP
    {{- with $policy.from }}
    from:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- with $adminPeers }}
  - ports:
      - port: {{ include "sallyport.adminPort" $s }}
        protocol: TCP
    from:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- with $policy.egress }}
egress:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
