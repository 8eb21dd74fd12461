"use strict";

const page = document.getElementById("swagger-ui").dataset;

SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: page.openapiUrl,
  oauth2RedirectUrl: window.location.origin + page.oauth2RedirectPath,
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
});
