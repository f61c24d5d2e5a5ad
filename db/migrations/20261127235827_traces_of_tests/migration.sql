ALTER TABLE "sensitive_traces" ADD COLUMN "probe_id" uuid;--> statement-breakpoint
ALTER TABLE "sensitive_traces" ALTER COLUMN "transfer_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "sensitive_traces" ALTER COLUMN "model_id" DROP NOT NULL;--> statement-breakpoint
CREATE INDEX "sensitive_traces_probe_id" ON "sensitive_traces" ("probe_id");