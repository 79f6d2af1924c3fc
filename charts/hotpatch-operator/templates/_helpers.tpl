{{/* The chart's name, or what stands in for it. */}}
{{- define "hotpatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the release's objects. */}}
{{- define "hotpatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "hotpatch.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name of cluster-wide objects: two releases in two namespaces must not share one. */}}
{{- define "hotpatch.clusterName" -}}
{{- $name := include "hotpatch.fullname" . -}}
{{- if eq .Release.Namespace "hotpatch-system" -}}
{{- $name -}}
{{- else -}}
{{- printf "%s-%s" $name .Release.Namespace | trunc 60 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the operator's pods; they never change. */}}
{{- define "hotpatch.selector" -}}
app.kubernetes.io/name: {{ include "hotpatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object; the chart's own win over those of the values. */}}
{{- define "hotpatch.labels" -}}
{{- $own := include "hotpatch.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "hotpatch-operator" -}}
{{- $chart := printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" -}}
{{- $_ := set $own "helm.sh/chart" ($chart | trunc 63 | trimSuffix "-") -}}
{{- mergeOverwrite (deepCopy .Values.commonLabels) $own | toYaml -}}
{{- end -}}

{{/* Labels of pods. */}}
{{- define "hotpatch.podLabels" -}}
{{- $labels := mergeOverwrite (deepCopy .Values.podLabels) (include "hotpatch.labels" . | fromYaml) -}}
{{- if .Values.azure.workloadIdentity.enabled -}}
{{- $_ := set $labels "azure.workload.identity/use" "true" -}}
{{- end -}}
{{- toYaml $labels -}}
{{- end -}}

{{/* The operator's ServiceAccount. */}}
{{- define "hotpatch.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "hotpatch.fullname" . -}}
{{- else -}}
{{- fail "serviceAccount.create is false: name the account in serviceAccount.name" -}}
{{- end -}}
{{- end -}}

{{/* The image with its digest or tag. */}}
{{- define "hotpatch.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}
