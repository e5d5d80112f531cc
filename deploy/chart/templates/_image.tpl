{{/* An image by its name: where the values say it is, with their tag. */}}
{{- define "razvilka.image" -}}
{{- $values := (index . 0).Values.images -}}
{{- with $values.registry }}{{ . }}/{{ end }}{{ index . 1 }}:{{ $values.tag }}
{{- end -}}
