// Starts Swagger UI. A file of its own: pages run no inline scripts.
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // Nothing is sent to a validator of somebody else's.
  validatorUrl: null,
});
