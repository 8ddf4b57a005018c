{{/* What everything is called: the release, and the chart where the release does not say it. */}}
{{- define "steelyard.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- default $name .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* The labels of what belongs to a component, and more where there are some: (list $ "gateway" $labels). */}}
{{- define "steelyard.labels" -}}
{{- $root := index . 0 -}}
{{- $more := dict -}}
{{- if gt (len .) 2 -}}{{- $more = index . 2 -}}{{- end -}}
{{ include "steelyard.selector" . }}
app.kubernetes.io/part-of: steelyard
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with merge dict $more $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The labels by which its pods are chosen, which never change. */}}
{{- define "steelyard.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Name, namespace and labels of what belongs to a component, likewise. */}}
{{- define "steelyard.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "steelyard.fullname" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "steelyard.labels" . | nindent 2 }}
{{- end -}}

{{/* An image with registry and tag: (list $ "steelyard/gateway"). */}}
{{- define "steelyard.image" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.image.registry }}{{ . }}/{{ end -}}
{{ index . 1 }}:{{ default $root.Chart.AppVersion $root.Values.image.tag }}
{{- end -}}

{{/* What a component's pod template tells of itself: (list $ "gateway" .Values.gateway). */}}
{{- define "steelyard.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
labels:
  {{- include "steelyard.selector" . | nindent 2 }}
  steelyard.dev/kind: {{ index . 1 }}
  {{- with merge dict $values.podLabels $root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Where a component's pods run, and with which Secrets their images are pulled, likewise. */}}
{{- define "steelyard.placement" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* What PodSecurity restricted asks of a container. */}}
{{- define "steelyard.restricted" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end -}}

{{/* The Services of GPU exporters that the operator asks, by commas. */}}
{{- define "steelyard.gpuExporters" -}}
{{- $own := ternary (list (printf "%s/%s-agent" .Release.Namespace (include "steelyard.fullname" .))) list .Values.agent.enabled -}}
{{- concat .Values.operator.gpuExporters $own | join "," -}}
{{- end -}}

{{/* The namespaces that they are in, as a JSON array; one that names none is in the release's. */}}
{{- define "steelyard.exporterNamespaces" -}}
{{- $found := list -}}
{{- range splitList "," (include "steelyard.gpuExporters" .) | compact -}}
{{- $found = append $found (ternary (dir .) $.Release.Namespace (contains "/" .)) -}}
{{- end -}}
{{- uniq $found | toJson -}}
{{- end -}}

{{/* How a program reaches what is outside, as environment variables. */}}
{{- define "steelyard.egress" -}}
{{- with .Values.proxy.httpsProxy }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .Values.proxy.noProxy }}
- {name: NO_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if .Values.caBundle.configMap }}
- {name: STEELYARD_CA_BUNDLE, value: /etc/steelyard/ca-bundle/ca.crt}
{{- end }}
{{- end -}}

{{/* The extra certificates in a container, and where they come from. */}}
{{- define "steelyard.caMount" -}}
{{- if .Values.caBundle.configMap }}
volumeMounts:
- {name: ca-bundle, mountPath: /etc/steelyard/ca-bundle, readOnly: true}
{{- end }}
{{- end -}}
{{- define "steelyard.caVolume" -}}
{{- with .Values.caBundle }}{{- if .configMap }}
volumes:
- name: ca-bundle
  configMap: {name: {{ .configMap }}, items: [{key: {{ .key | quote }}, path: ca.crt}]}
{{- end }}{{- end }}
{{- end -}}
