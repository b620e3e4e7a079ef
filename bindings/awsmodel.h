/* awsmodel.h - what the two files of adt.c.awsmodel share */
#ifndef ADT_AWSMODEL_H
#define ADT_AWSMODEL_H

#include "adtL.h"
#include "aws/model.h"

const struct adt_aws_model *adtL_checkmodel(lua_State *L);
/* The model at 1, open. */

const struct adt_aws_operation *adtL_checkoperation(lua_State *L, const struct adt_aws_model *m, int arg);
/* The operation that the argument names; raises when there is none. */

/* Methods of models (awsresponse.c) */
int adtL_model_response(lua_State *L);
int adtL_model_failure(lua_State *L);
int adtL_model_is_failure(lua_State *L);

#endif
