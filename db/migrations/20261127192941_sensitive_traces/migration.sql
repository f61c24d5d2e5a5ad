CREATE TABLE "sensitive_traces" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"transfer_id" uuid NOT NULL,
	"model_id" uuid NOT NULL,
	"code" text NOT NULL,
	"trace" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "kind" text DEFAULT 'webhook' NOT NULL;--> statement-breakpoint
CREATE INDEX "sensitive_traces_transfer_id" ON "sensitive_traces" ("transfer_id");--> statement-breakpoint
CREATE INDEX "sensitive_traces_created_at" ON "sensitive_traces" ("created_at");--> statement-breakpoint
CREATE INDEX "sensitive_traces_model_id" ON "sensitive_traces" ("model_id");--> statement-breakpoint
ALTER TABLE "sensitive_traces" ADD CONSTRAINT "sensitive_traces_transfer_id_transfers_id_fkey" FOREIGN KEY ("transfer_id") REFERENCES "transfers"("id");--> statement-breakpoint
ALTER TABLE "sensitive_traces" ADD CONSTRAINT "sensitive_traces_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");