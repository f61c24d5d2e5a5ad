CREATE TABLE "backfills" (
	"destination_id" uuid,
	"model_id" uuid,
	"columns" text[] NOT NULL,
	"up_to" text NOT NULL,
	"reached" text,
	"transfer_id" uuid,
	"requested_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "backfills_pkey" PRIMARY KEY("destination_id","model_id")
);
--> statement-breakpoint
CREATE INDEX "backfills_model_id" ON "backfills" ("model_id");--> statement-breakpoint
ALTER TABLE "backfills" ADD CONSTRAINT "backfills_destination_id_destinations_id_fkey" FOREIGN KEY ("destination_id") REFERENCES "destinations"("id");--> statement-breakpoint
ALTER TABLE "backfills" ADD CONSTRAINT "backfills_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");