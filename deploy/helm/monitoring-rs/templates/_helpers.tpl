{{- define "labels" -}}
app.kubernetes.io/name: monitoring-rs
{{- end }}
{{- define "metadata" -}}
name: {{ .Release.Name }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "labels" . | nindent 2 }}
{{- end }}
