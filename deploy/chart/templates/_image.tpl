{{/* An image by its name: where the values say it is, with their tag. */}}
{{- define "razvilka.image" -}}
{{- $values := (index . 0).Values.images -}}
{{- with $values.registry }}{{ . }}/{{ end }}{{ index . 1 }}:{{ $values.tag }}
{{- end -}}
{{/* A service's settings: what the values say, and who its mails are from unless they do. */}}
{{- define "razvilka.settings" -}}
{{- $values := (index . 0).Values -}}
{{- $sender := dict (index . 2) (printf "Razvilka <no-reply@%s>" $values.host) -}}
{{- toYaml (mergeOverwrite $sender (index $values (index . 1)).config) -}}
{{- end -}}
