CREATE TABLE "integrity_jobs" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"destination_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"status" "model_status" NOT NULL,
	"start_window_at" timestamp(6) with time zone,
	"end_window_at" timestamp(6) with time zone,
	"repairs_job_id" uuid,
	"actor_id" text NOT NULL,
	"actor_type" "actor_type" NOT NULL,
	"tenant_id" text NOT NULL,
	"destination_connection_id" uuid,
	"submitted_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp(6) with time zone,
	"ended_at" timestamp(6) with time zone,
	"cancel_requested_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "integrity_models" (
	"job_id" uuid,
	"model_id" uuid,
	"position" integer NOT NULL,
	"model_name" text NOT NULL,
	"revision_id" uuid NOT NULL,
	"source_id" uuid NOT NULL,
	"source_connection_id" uuid,
	"source_credential_id" uuid,
	"status" "model_status" NOT NULL,
	"sample_keys" text[] NOT NULL,
	"comparison" jsonb,
	"result" jsonb,
	"error" jsonb,
	CONSTRAINT "integrity_models_pkey" PRIMARY KEY("job_id","model_id")
);
--> statement-breakpoint
CREATE INDEX "integrity_jobs_of_destination" ON "integrity_jobs" ("destination_id","submitted_at","id");--> statement-breakpoint
CREATE INDEX "integrity_jobs_open" ON "integrity_jobs" ("submitted_at") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "integrity_jobs_recipient_id" ON "integrity_jobs" ("recipient_id");--> statement-breakpoint
CREATE INDEX "integrity_jobs_destination_connection_id" ON "integrity_jobs" ("destination_connection_id");--> statement-breakpoint
CREATE INDEX "integrity_models_model_id" ON "integrity_models" ("model_id");--> statement-breakpoint
CREATE INDEX "integrity_models_revision_id" ON "integrity_models" ("revision_id");--> statement-breakpoint
CREATE INDEX "integrity_models_source_id" ON "integrity_models" ("source_id");--> statement-breakpoint
CREATE INDEX "integrity_models_source_connection_id" ON "integrity_models" ("source_connection_id");--> statement-breakpoint
ALTER TABLE "integrity_jobs" ADD CONSTRAINT "integrity_jobs_destination_id_destinations_id_fkey" FOREIGN KEY ("destination_id") REFERENCES "destinations"("id");--> statement-breakpoint
ALTER TABLE "integrity_jobs" ADD CONSTRAINT "integrity_jobs_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "integrity_jobs" ADD CONSTRAINT "integrity_jobs_destination_connection_id_connections_id_fkey" FOREIGN KEY ("destination_connection_id") REFERENCES "connections"("id");--> statement-breakpoint
ALTER TABLE "integrity_models" ADD CONSTRAINT "integrity_models_job_id_integrity_jobs_id_fkey" FOREIGN KEY ("job_id") REFERENCES "integrity_jobs"("id");--> statement-breakpoint
ALTER TABLE "integrity_models" ADD CONSTRAINT "integrity_models_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");--> statement-breakpoint
ALTER TABLE "integrity_models" ADD CONSTRAINT "integrity_models_revision_id_model_revisions_id_fkey" FOREIGN KEY ("revision_id") REFERENCES "model_revisions"("id");--> statement-breakpoint
ALTER TABLE "integrity_models" ADD CONSTRAINT "integrity_models_source_id_sources_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources"("id");--> statement-breakpoint
ALTER TABLE "integrity_models" ADD CONSTRAINT "integrity_models_source_connection_id_connections_id_fkey" FOREIGN KEY ("source_connection_id") REFERENCES "connections"("id");